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
  "region": "eu-central-1"
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider"
 },
 "Action": true,
 "Modules": {
  "assert": "module.exports = function (a, b) { if (JSON.stringify(a) !== JSON.stringify(b)) throw new Error(JSON.stringify(a)); };"
 },
 "Context": {
  "clientName": "Photos",
  "clientMetadata": {
   "team": "press"
  },
  "connectionID": "con_1",
  "request": {
   "geoip": {
    "countryCode": "CH"
   },
   "method": "POST"
  },
  "stats": {
   "loginsCount": 3
  },
  "authentication": {
   "methods": [
    {
     "name": "mfa"
    }
   ]
  },
  "riskAssessment": {
   "confidence": "low"
  },
  "authorization": {
   "roles": [
    "admin"
   ]
  },
  "organization": {
   "id": "org_1"
  },
  "transaction": {
   "requested_scopes": [
    "openid"
   ]
  }
 },
 "Claims": {
  "sub": "auth0|1"
 },
 "Request": {
  "IP": "203.0.113.7",
  "Hostname": "aws.example.com",
  "UserAgent": "curl",
  "Parameters": {
   "role": "r"
  }
 }
}*/
const assert = require('assert');
exports.onExecutePostLogin = async (event, api) => {
  const {client, connection, request, transaction, stats, authentication, authorization, organization, tenant} = event;
  assert([client.client_id, client.name, client.metadata.team], ['CLIENT_ID', 'Photos', 'press']);
  assert([connection.name, connection.strategy, connection.id], ['auth0', 'auth0', 'con_1']);
  assert([request.ip, request.hostname, request.user_agent, request.body.role, request.query], ['203.0.113.7', 'aws.example.com', 'curl', 'r', {}]);
  assert([request.geoip.countryCode, request.method], ['CH', 'POST']);
  assert([transaction.protocol, transaction.requested_scopes], ['delegation', ['openid']]);
  assert([stats.logins_count, 'loginsCount' in stats], [3, false]);
  assert(authentication, {methods: [{name: 'mfa'}], riskAssessment: {confidence: 'low'}});
  assert([authorization.roles, organization.id, tenant.id], [['admin'], 'org_1', 'tenant']);
  assert([event.user.user_id, event.user.identities[0].provider, event.unheard_of], ['auth0|1', 'auth0', undefined]);
  assert(Object.keys(event), ['authentication', 'authorization', 'client', 'connection', 'organization', 'request', 'secrets', 'stats', 'tenant', 'transaction', 'user']);
};
