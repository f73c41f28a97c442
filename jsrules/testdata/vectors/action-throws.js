/*{
 "Action": true,
 "Outcome": "failed",
 "Text": "Error: The database is down.",
 "At": "8:9"
}*/
exports.onExecutePostLogin = async (event, api) => {
  throw new Error('The database is down.');
};
