/*{
 "Outcome": "invalid",
 "Text": "BigInt is not supported"
}*/
function (user, context, callback) {
  callback(null, 10n);
}
