/*{
 "Outcome": "passed",
 "Claims": {
  "sub": "auth0|alice"
 },
 "User": {
  "folder": "d893e6db-0c6f-53ee-a087-956df2a485fc",
  "again": true,
  "random": [
   true,
   true,
   false
  ]
 }
}*/
function (user, context, callback) {
  var uuid = require('uuid@3.3.2');
  var v4 = require('uuid@3.3.2/v4');
  user.folder = require('uuid/v5')(user.user_id, '6ba7b810-9dad-11d1-80b4-00c04fd430c8');
  user.again = user.folder === uuid.v5(user.user_id, uuid.v5.DNS);
  user.random = [uuid().length === 36, v4().charAt(14) === '4', uuid.v4() === require('node-uuid').v4()];
  callback(null, user, context);
}
