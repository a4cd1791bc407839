"""What the figures of the page on search engines do not say by themselves."""

REMARKS = (
    "PNAS knows something that the others do not: what its levels have not opened yet is a 3x3 convolution (on NAS-Bench-Graph a "
    "graph convolution), so it begins among good networks, and the pairs of edges that it opens together were chosen on "
    "NAS-Bench-201's CIFAR-10 table with other seeds, where other pairs end level with random search. Those on NAS-Bench-Graph "
    "are the first that were tried. Read its lead with that in mind; NPENAS and local search begin at random.",
    "NAO draws 50 architectures before its model is trained, and at 50 queries it is random search. What its model learns from "
    "the next 25 at a time pays from 100 queries on; the paper has 600 and 300.",
    "EcoNAS is the only engine with two fidelities, and it is charged for both by their epochs: a network that moves on costs as "
    "much as 17 new ones on NAS-Bench-201. There the score at the higher fidelity is the test accuracy after 200 epochs, for the "
    "table has no validation accuracy then: it sees what it is judged by, and is shown for completeness, not for comparison.",
    "Behind random search: on NAS-Bench-Graph's proteins every engine that searches, on its CiteSeer PNAS, on its Pubmed PNAS "
    "and NPENAS, of which few seeds were run. All of them are ahead of random search by the objective, the validation accuracy "
    "of one training. On proteins and Pubmed the network that is best by it is a poor one by the result (76.11 on proteins, "
    "where random search ends at 77.7 and the best has 79.26): who optimises it better is misled more. On CiteSeer networks "
    "of equal validation accuracy differ by points on the test nodes, and what PNAS settles on first is one of the worse. "
    "Compare the column of the objective. Of some 200 comparisons at two standard errors a few are chance, such as tournament "
    "evolution on NAS-Bench-MR's video_p.",
    "NAS-Bench-MR lists a sample of its space, so networks have no neighbours there: evolution, local search and policies can "
    "only draw at random, and only engines that predict from the features get further.",
)
