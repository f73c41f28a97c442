/*{
 "Action": true,
 "Outcome": "passed",
 "AWS": {},
 "User": {
  "role": null,
  "app_metadata": null,
  "email": "alice@example.com"
 },
 "Log": [
  "level=INFO msg=\"{\\\"client\\\":{\\\"client_id\\\":\\\"CLIENT_ID\\\",\\\"metadata\\\":{}},\\\"connection\\\":{\\\"name\\\":\\\"auth0\\\",\\\"strategy\\\":\\\"auth0\\\"},\\\"request\\\":{\\\"body\\\":{},\\\"query\\\":{}},\\\"secrets\\\":{\\\"A\\\":\\\"b\\\"},\\\"tenant\\\":{\\\"id\\\":\\\"tenant\\\"},\\\"transaction\\\":{\\\"protocol\\\":\\\"delegation\\\"},\\\"user\\\":\\\"alice@example.com\\\"}\""
 ],
 "Claims": {
  "sub": "auth0|1"
 },
 "Secrets": {
  "A": "b"
 }
}*/
// Copying what is known is no reading of what is not. Writing to event has no effect on anyone.
exports.onExecutePostLogin = async (event, api) => {
  console.log(JSON.stringify({...event, user: event.user.email}));
  event.user.role = 'admin';
  event.user.app_metadata = {admin: true};
  event.client.name = 'mine';
  delete event.user.email;
  if (event.client.name !== 'mine' || event.user.role !== 'admin') api.access.deny('own copy');
};
