package service

// DemoURL is what tests see of the demonstration's addresses.
var DemoURL = demoURL
