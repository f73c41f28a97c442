/*{
 "Claims": {
  "n": [
   9007199254740993,
   1.5
  ]
 },
 "Target": {
  "Region": "eu-west-1"
 },
 "Outcome": "passed",
 "AWS": {
  "role": "arn:aws:iam::123456789012:role/s",
  "region": "eu-west-1"
 },
 "User": {
  "name": null,
  "nick": "Alice",
  "n": [
   9007199254740993,
   1.5
  ],
  "email": "alice@example.com"
 }
}*/
async (user, context, callback) => {
  const {name, ...rest} = user;
  return callback(null, {...rest, nick: name}, {...context, addonConfiguration: {...context.addonConfiguration, aws: {role: 'arn:aws:iam::123456789012:role/s'}}});
}
