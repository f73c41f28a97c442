/*{
 "Outcome": "invalid",
 "Text": "a rule is one function"
}*/
{rule: function (u, c, cb) {}}
