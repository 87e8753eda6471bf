// jwt.js sign KEYFILE ALG CLAIMS | verify KEYFILE ALG TOKEN: tokens as the npm library jsonwebtoken
// makes and checks them.
"use strict";
const fs = require("fs");
const jwt = require("jsonwebtoken");

const [command, keyFile, algorithm, text] = process.argv.slice(2);
const file = fs.readFileSync(keyFile, "utf8");
const key = file.includes("-----BEGIN") ? file : file.replace(/\n$/, "");

if (command === "sign") {
  console.log(jwt.sign(JSON.parse(text), key, { algorithm, noTimestamp: true }));
} else {
  console.log(JSON.stringify(jwt.verify(text, key, { algorithms: [algorithm] })));
}
