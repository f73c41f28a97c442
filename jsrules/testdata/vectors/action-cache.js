/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_unsupported",
 "Text": "api.cache.get is called",
 "At": "10:23"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    if (!api.cache.get('k')) api.cache.set('k', 'v');
  } catch (e) {}
};
