/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/r",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1",
  "SessionDuration": 3600000000000,
  "Tags": {
   "a": "b"
  },
  "Mappings": {
   "x": "y"
  },
  "PolicyARNs": [
   "p"
  ],
  "TransitiveTagKeys": [
   "a"
  ],
  "SourceIdentity": "s",
  "SessionName": "n",
  "Policy": "{}"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/r",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "lifetime_in_seconds": 3600,
  "tags": {
   "a": "b"
  },
  "mappings": {
   "x": "y"
  },
  "policyArns": [
   "p"
  ],
  "transitiveTagKeys": [
   "a"
  ],
  "sourceIdentity": "s",
  "sessionName": "n",
  "policy": "{}"
 }
}*/
function (user, context, callback) { callback(null, user, context); }
