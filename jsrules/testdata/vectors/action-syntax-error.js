/*{
 "Action": true,
 "Outcome": "invalid",
 "Text": "SyntaxError",
 "At": "8:9"
}*/
exports.onExecutePostLogin = async (event, api) => {
  const = 1;
};
