/*{
 "Outcome": "invalid",
 "Text": "this is a script of a custom database: leave it out",
 "At": "6:1"
}*/
function login(email, password, callback) {
  callback(new WrongUsernameOrPasswordError(email));
}
