/*{
 "Target": {
  "Role": "arn:aws:iam::123456789012:role/target",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "Region": "eu-central-1",
  "Tags": {
   "Team": "of the target"
  }
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/target",
  "principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "region": "eu-central-1",
  "mappings": {
   "https://aws.amazon.com/SAML/Attributes/Role": "awsRole",
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:CostCenter": "app_metadata.cost.center",
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:Team": "team",
   "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys": "transitive",
   "https://aws.amazon.com/SAML/Attributes/SourceIdentity": "email",
   "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": "groups"
  }
 },
 "Decided": {
  "Role": "arn:aws:iam::123456789012:role/r",
  "Principal": "arn:aws:iam::123456789012:saml-provider/auth0-provider",
  "SourceIdentity": "alice@example.com",
  "Attributes": {
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:CostCenter": [
    "7"
   ],
   "https://aws.amazon.com/SAML/Attributes/PrincipalTag:Team": [
    "press"
   ],
   "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys": [
    "CostCenter"
   ],
   "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": [
    "a",
    "b"
   ]
  }
 },
 "Claims": {
  "app_metadata": {
   "cost": {
    "center": 7
   }
  },
  "team": "press",
  "groups": [
   "a",
   "b"
  ]
 },
 "SAML": "aws"
}*/
function (user, context, callback) {
  const aws = 'https://aws.amazon.com/SAML/Attributes/';
  user.awsRole = `arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/auth0-provider`;
  user.transitive = ['CostCenter'];
  context.samlConfiguration = context.samlConfiguration || {};
  context.samlConfiguration.mappings = {
    [aws + 'Role']: 'awsRole',
    [aws + 'PrincipalTag:CostCenter']: 'app_metadata.cost.center',
    [aws + 'PrincipalTag:Team']: 'team',
    [aws + 'TransitiveTagKeys']: 'transitive',
    [aws + 'SourceIdentity']: 'email',
    'urn:oid:1.3.6.1.4.1.5923.1.1.1.1': 'groups'
  };
  callback(null, user, context);
}
