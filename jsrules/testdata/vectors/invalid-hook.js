/*{
 "Outcome": "invalid",
 "Text": "this is a Hook: leave it out",
 "At": "6:1"
}*/
module.exports = function (client, scope, audience, context, cb) {
  cb(null, { scope: scope });
};
