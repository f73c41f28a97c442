/*{
 "Outcome": "invalid",
 "Text": "a rule is one function"
}*/
function (u, c, cb) { cb(); }()
