/*{
 "Claims": {
  "email": "mallory@EVIL.example"
 },
 "Outcome": "denied",
 "Text": "Access denied for evil.example."
}*/
function (user, context, callback) {
  const whitelist = ['example.com', 'example.org'];
  if (!user.email || !user.email_verified) return callback(new UnauthorizedError('Access denied.'));
  const domain = user.email.split('@').pop().toLowerCase();
  if (!whitelist.some(allowed => allowed === domain)) return callback(new UnauthorizedError(`Access denied for ${domain}.`));
  return callback(null, user, context);
}
