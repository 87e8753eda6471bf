// asyncapi.mjs: parses the AsyncAPI document on standard input with AsyncAPI's own parser, and prints
// "OPERATION MESSAGE" for each message; fails with what it found wrong.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const errors = diagnostics.filter(({ severity }) => severity === 0);
for (const error of errors) console.error(error.path.join("."), error.message);
if (errors.length > 0) process.exit(1);
for (const operation of document.operations())
  for (const message of operation.messages())
    console.log(operation.action(), message.name());
