/*{
 "Action": true,
 "Outcome": "denied",
 "Text": "Access to CLIENT_ID is not allowed."
}*/
exports.onExecutePostLogin = async (event, api) => {
  if (event.user.email && event.user.email.endsWith("@example.com") && event.client.client_id === "CLIENT_ID") {
    api.access.deny(`Access to ${event.client.client_id} is not allowed.`);
  }
};
