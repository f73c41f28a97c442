/*{
 "Action": true,
 "Outcome": "failed",
 "Text": "ReferenceError: context is not defined",
 "At": "9:7"
}*/
// Half migrated: context is not there.
exports.onExecutePostLogin = async (event, api) => {
  if (context.clientID !== 'CLIENT_ID') {
    return callback(null, user, context);
  }
};
