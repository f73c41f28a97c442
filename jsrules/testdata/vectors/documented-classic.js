/*{
 "Outcome": "passed",
 "AWS": {
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "role": "arn:aws:iam::123456789012:role/auth0-role"
 }
}*/
function (user, context, callback) {
  if (context.clientID === 'CLIENT_ID' &&
      context.protocol === 'delegation') {
    // set AWS settings
    context.addonConfiguration = context.addonConfiguration || {};
    context.addonConfiguration.aws = context.addonConfiguration.aws || {};
    context.addonConfiguration.aws.principal = 'arn:aws:iam::123456789012:saml-provider/auth0-provider';
    context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/auth0-role';
  }

  callback(null, user, context);
}
