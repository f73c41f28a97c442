/* {"Claims": {"groups": []}, "Context": {}, "Outcome": "failed", "Code": "rule_user_missing", "Text": "user"} */
function (user, context, callback) {
	if (user.groups.indexOf("aws") < 0) {
		context.redirect = {url: "https://sso.example.com/forbidden"};
		return callback(null, null, context);
	}
	callback(null, user, context);
}
