function (user, context, callback) {
  if (context.clientID === 'CLIENT_ID' && context.protocol === 'delegation') {
    context.addonConfiguration = context.addonConfiguration || {};
    context.addonConfiguration.aws = context.addonConfiguration.aws || {};
    context.addonConfiguration.aws.principal = 'arn:aws:iam::' + configuration.AWS_ACCOUNT + ':saml-provider/auth0-provider';
  }
  callback(null, user, context);
}
