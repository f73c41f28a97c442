/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_redirect",
 "Text": "api.redirect.sendUserTo is called",
 "At": "10:28"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.redirect.sendUserTo('https://example.com/consent', {query: {a: 'b'}});
  } catch (e) {}
};
