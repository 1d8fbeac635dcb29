cat /etc/default/locale /etc/environment /etc/default/keyboard /etc/hosts /etc/timezone; hostname; readlink -f /etc/localtime; locale -a; grep -v '^#' /etc/locale.gen; date +%Z
