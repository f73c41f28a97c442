/*{
 "Action": true,
 "Outcome": "failed",
 "Code": "rule_failed",
 "Text": "was given a value that is not rsa-sha256",
 "At": "10:43"
}*/
exports.onExecutePostLogin = async (event, api) => {
  try {
    api.samlResponse.setSignatureAlgorithm('rsa-sha1');
  } catch (e) {}
};
