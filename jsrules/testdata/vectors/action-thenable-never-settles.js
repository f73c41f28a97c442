/*{
 "Action": true,
 "Outcome": "failed",
 "Text": "never settled"
}*/
exports.onExecutePostLogin = (event, api) => ({then: () => {}});
