/*{
 "Outcome": "invalid",
 "Text": "Unexpected end of input"
}*/

