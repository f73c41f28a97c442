/*{
 "Outcome": "failed",
 "Text": "callback was never called"
}*/
async function (user, context) { return context; }
