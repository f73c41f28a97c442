/*{
 "Outcome": "invalid",
 "Text": "async generators are not supported: return a promise of a list",
 "At": "7:3"
}*/
async function (user, context, callback) {
  async function* pages() { yield 1; }
  callback(null, user, context);
}
