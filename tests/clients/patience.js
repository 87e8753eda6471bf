// How long a client waits for what must come, in ms: a little less than whoever runs it waits for its
// end ($PATIENCE_S of helpers.bash), so that it can say what it waited for.
"use strict";
module.exports = (Number(process.env.PATIENCE_S ?? 90) - 10) * 1000;
