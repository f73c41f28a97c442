/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/SourceIdentity": "samlResponse:https://aws.amazon.com/SAML/Attributes/SourceIdentity"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SourceIdentity": "ff8d9819own"
 },
 "Action": true
}*/
'use strict';
const crypto = require('crypto');
const name = 'own';

async function onExecutePostLogin(event, api) {
  const hash = crypto.createHash('sha256').update(event.user.email).digest('hex');
  api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/SourceIdentity', hash.slice(0, 8) + name);
}

module.exports = { onExecutePostLogin, onContinuePostLogin: async () => { throw new Error('never called'); } };
