/*{
 "Outcome": "passed",
 "AWS": {},
 "User": {
  "marks": [
   "##",
   "@@",
   "# #A# #",
   "a@@b"
  ]
 }
}*/
/*
 ############################
 ##  What the Deploy CLI  ##
 ##  does not replace     ##
 ############################
*/
function (user, context, callback) {
  user.marks = ['##', '@@', '# #A# #', 'a@@b'];
  callback(null, user, context);
}
