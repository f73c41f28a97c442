/* {"Claims": {}, "Context": {}, "Outcome": "failed", "Code": "rule_redirect", "Text": "redirect"} */
function (user, context, callback) { context.redirect = {url: "https://example.com/consent"}; callback(null, user, context); }
