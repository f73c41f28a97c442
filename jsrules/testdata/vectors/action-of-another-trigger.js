/*{
 "Action": true,
 "Outcome": "invalid",
 "Text": "exports a function onExecutePostLogin"
}*/
exports.onExecutePreUserRegistration = async (event, api) => {};
