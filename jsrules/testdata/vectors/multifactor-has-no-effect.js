/* {"Claims": {}, "Context": {}, "Outcome": "failed", "Code": "rule_multifactor", "Text": "multifactor"} */
function (user, context, callback) { context.multifactor = {provider: "any", allowRememberBrowser: false}; callback(null, user, context); }
