/*{
 "Outcome": "invalid",
 "Text": "this is an empty file",
 "At": "1:1"
}*/

