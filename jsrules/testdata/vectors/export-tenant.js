/*{
 "Outcome": "passed",
 "AWS": {
  "tags": {
   "tenant": "tenant",
   "domain": "tenant.auth0.com"
  }
 }
}*/
function (user, context, callback) {
  context.addonConfiguration.aws.tags = {tenant: context.tenant, domain: auth0.domain};
  callback(null, user, context);
}
