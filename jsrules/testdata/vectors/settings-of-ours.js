/*{
 "Claims": {
  "team": "press",
  "costCenter": 42
 },
 "Target": {
  "Tags": {
   "stage": "prod"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "policy": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}",
  "policyArns": [
   "arn:aws:iam::aws:policy/ReadOnlyAccess"
  ],
  "tags": {
   "stage": "prod",
   "team": "press",
   "cost-center": "42"
  },
  "transitiveTagKeys": [
   "team"
  ],
  "sourceIdentity": "alice@example.com",
  "sessionName": "alice"
 }
}*/
function (user, context, callback) {
  var aws = context.addonConfiguration.aws;
  aws.policy = JSON.stringify({Version: '2012-10-17', Statement: [{Effect: 'Allow', Action: 's3:*', Resource: '*'}]});
  aws.policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess'];
  aws.tags = Object.assign({}, aws.tags, {team: user.team, 'cost-center': String(user.costCenter)});
  aws.transitiveTagKeys = Object.keys(aws.tags).filter(function (key) { return key === 'team'; });
  aws.sourceIdentity = user.email;
  aws.sessionName = user.email.split('@')[0];
  callback(null, user, context);
}
