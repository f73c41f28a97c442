/*{
 "Outcome": "passed",
 "User": {
  "signature": "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
 }
}*/
function (user, context, callback) {
  // The signing key of AWS Signature Version 4, as its documentation derives it.
  const hmac = (key, text) => crypto.createHmac('sha256', key).update(text, 'utf8').digest();
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
  const signingKey = ['20150830', 'us-east-1', 'iam', 'aws4_request'].reduce(hmac, 'AWS4' + secret);
  const toSign = ['AWS4-HMAC-SHA256', '20150830T123600Z', '20150830/us-east-1/iam/aws4_request',
    'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59'].join('\n');
  user.signature = hmac(signingKey, toSign).toString('hex');
  callback(null, user, context);
}
