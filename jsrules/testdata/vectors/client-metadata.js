/*{
 "Claims": {
  "groups": [
   "Power Users"
  ]
 },
 "Context": {
  "clientMetadata": {
   "aws_account_number": "123456789012",
   "aws_default_group": "Power Users"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "role": "arn:aws:iam::123456789012:role/auth0/Power+Users"
 }
}*/
function (user, context, callback) {
  var account = context.clientMetadata.aws_account_number;
  var wanted = context.clientMetadata.aws_default_group;
  if (!wanted || user.groups.indexOf(wanted) < 0) {
    return callback("You aren't authorized to use AWS account " + account + '!');
  }
  context.addonConfiguration.aws.principal = 'arn:aws:iam::' + account + ':saml-provider/auth0-provider';
  context.addonConfiguration.aws.role = 'arn:aws:iam::' + account + ':role/' + context.connection + '/' + wanted.replace(/\\/g, '/').replace(/ /g, '+');
  callback(null, user, context);
}
