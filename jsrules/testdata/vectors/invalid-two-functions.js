/*{
 "Outcome": "invalid",
 "Text": "a rule is one function"
}*/
function a(u, c, cb) {}
function b(u, c, cb) {}
