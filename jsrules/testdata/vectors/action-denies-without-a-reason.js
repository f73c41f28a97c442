/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "access denied"
}*/
exports.onExecutePostLogin = async (event, api) => api.access.deny();
