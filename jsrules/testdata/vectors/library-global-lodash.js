/* {"Claims": {"groups": ["a", "b"], "identities": [{"provider": "google-oauth2", "user_id": "1", "connection": "google-oauth2"}, {"provider": "auth0", "user_id": "2", "connection": "db"}]},
"Outcome": "passed", "User": {"providers": ["google-oauth2", "auth0"], "db": "2", "member": true, "two": ["a", "b"], "any": true, "version": "2.4.2"}} Auth0's global _ was lodash 2.4 */
function (user, context, callback) {
  user.providers = _.pluck(user.identities, 'provider');
  user.db = _.findWhere(user.identities, {connection: 'db'}).user_id;
  user.member = _.contains(user.groups, 'b');
  user.two = _.first(user.groups, 2);
  user.any = _.any(user.groups, function (name) { return name === this.wanted; }, {wanted: 'b'});
  user.version = _.VERSION;
  callback(null, user, context);
}
