/*{
 "Outcome": "passed",
 "User": {"got": ["GET", "x", "local", "y"]}
}*/
function (user, context, callback) {
  const request = { method: 'GET' };
  function axios(fetch) { return fetch; }
  let process = 'local';
  class jwt { static sign() { return 'y'; } }
  user.got = [request.method, axios('x'), process, jwt.sign()];
  callback(null, user, context);
}
