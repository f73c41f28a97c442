/*{
 "Outcome": "passed",
 "User": {
  "winner": "fast"
 }
}*/
async function (user, context, callback) {
  const wait = ms => new Promise(resolve => setTimeout(resolve, ms));
  const winner = await Promise.race([wait(500).then(() => 'slow'), wait(20).then(() => 'fast')]);
  user.winner = winner;
  callback(null, user, context);
}
