# The flight-delays job in awk: what the app computes, row by row. Result to standard output, dead letters to the file `dead`.
#     mawk -v dead=FILE -f flights.awk flights.csv
BEGIN { FS = ","; window = 0; seen = 0; size = 10000 }

function report(   b) {
    for (b = 0; b < 12; b++)
        if (flights[b]) {
            printf "{\"window\":%d,\"band\":%d,\"flights\":%d,\"late\":%d,\"delay_sum\":%d,\"delay_min\":%d,\"delay_max\":%d,\"delay_mean_milli\":%d}\n", window, b, flights[b], late[b], sum[b], least[b], most[b], int(sum[b] * 1000 / flights[b])
            flights[b] = late[b] = sum[b] = 0
        }
    window++
    seen = 0
}

function refuse(reason) { print "{\"row\":" (NR - 1) ",\"reason\":\"" reason "\"}" > dead }

NR == 1 { next }
NF != 4 || $1 !~ /^-?[0-9]+$/ || $2 !~ /^-?[0-9]+(\.[0-9]+)?$/ || $3 !~ /^-?[0-9]+$/ || $4 !~ /^-?[0-9]+$/ { refuse("parse"); next }
{
    distance = $3 + 0
    delay = $4 + 0
    if (distance <= 0 || distance > 10000) { refuse("distance"); next }
    if (delay < -2880 || delay > 2880) { refuse("delay"); next }
    if ($2 < 0 || $2 >= 24) { refuse("hour"); next }
    b = int(distance / 250)
    if (b > 11) b = 11
    if (!flights[b]) least[b] = most[b] = delay
    else if (delay < least[b]) least[b] = delay
    else if (delay > most[b]) most[b] = delay
    flights[b]++
    sum[b] += delay
    if (delay >= 15) late[b]++
    if (++seen == size) report()
}
END { if (seen) report() }
