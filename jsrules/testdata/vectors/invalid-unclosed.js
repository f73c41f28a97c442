/*{
 "Outcome": "invalid",
 "Text": "SyntaxError"
}*/
function (u, c, cb) {
  cb(null;
}
