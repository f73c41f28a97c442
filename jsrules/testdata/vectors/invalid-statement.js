/*{
 "Outcome": "invalid",
 "Text": "Unexpected token var"
}*/
var rule = function (u, c, cb) {};
