/*{
 "Action": true,
 "Outcome": "failed",
 "Text": "exports a function onExecutePostLogin"
}*/
const onExecutePostLogin = async (event, api) => {};
