function (user, context, callback) {
  const regions = {de: 'eu-central-1', ie: 'eu-west-1'};
  context.addonConfiguration.aws.region = regions[(user.country || '').toLowerCase()] || 'eu-central-1';
  callback(null, user, context);
}
