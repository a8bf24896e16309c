// Tells the shop, with a form that is sent anyway, by which clock its reader lives: no mail comes at their night.
for (const input of document.querySelectorAll("input[name=time_zone]")) {
  input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}
