/*{
 "Outcome": "invalid",
 "Text": "this is a function that is given to a variable: remove all before the function",
 "At": "6:1"
}*/
var rule = function (u, c, cb) {};
